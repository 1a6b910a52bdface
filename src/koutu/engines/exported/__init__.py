"""What `koutu export` wrote, run as it will run on a device."""
