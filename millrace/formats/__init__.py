"""Formats: rows ⇄ bytes. Each file writes and reads one format; `shards` is the way to all of them by name.

An encoder is a pure function: the same rows give the same bytes, whoever encodes them and when. A decoder believes
nothing: whatever the bytes, it gives rows of the right shape or a FormatError, and takes no more memory than those.
"""

# Name → how the files of its shards end.
FORMATS = {
    "parquet": "parquet",
    "arrow": "arrow",
    "huggingface": "parquet",
    "webdataset": "tar",
    "npz": "npz",
    "imagefolder": "csv",
}
PICTURES = ("huggingface", "webdataset", "imagefolder")  # those of PNG, so of 1 or 3 channels
