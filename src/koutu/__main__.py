"""`python -m koutu`."""

from koutu.cli import main

main()
