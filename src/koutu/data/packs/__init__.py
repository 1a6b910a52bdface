"""Many small images as one file that trainings read."""
