"""What Python programs are offered. Only ``provisioner`` itself exports it."""
