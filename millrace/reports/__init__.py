"""What people look at: contact sheets, confusion tables. Nothing here prints."""
