"""Many small pictures as one file that trainings read."""
