"""The stream as a library: whatever may be streamed, its steps, ranks and state, and how they are read ahead."""
