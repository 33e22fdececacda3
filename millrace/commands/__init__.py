"""The commands of `millrace`: one file per command, each with `run(arguments) -> exit code`."""
