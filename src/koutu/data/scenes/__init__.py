"""Training samples composed on the fly from packs: people, backgrounds, light, camera and motion."""
