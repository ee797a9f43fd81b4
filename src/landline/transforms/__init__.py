"""What changes between client and model, one kind of change per file. PURE; every change is recorded in Notes."""
