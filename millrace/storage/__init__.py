"""Files that survive: written aside, flushed and renamed; on a disk or on any filesystem that pyarrow knows; locks."""
