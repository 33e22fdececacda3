"""How long a download may take, wait and try: every wait has a deadline. Times in seconds, sizes in bytes."""

CONNECT = 10.0  # until a connection stands
READ = 30.0  # until the next bytes come
FLOOR, WINDOW = 1024.0, 30.0  # at least FLOOR bytes per second over every WINDOW
REDIRECTS = 5
ATTEMPTS = 3  # per address, for faults that may pass
PAUSE, LONGEST_PAUSE = 0.5, 15.0  # between two attempts; doubled every time
FILE = 7200.0  # for one file, all addresses and attempts together
LOCK = 7200.0  # for another process that fetches the same dataset
