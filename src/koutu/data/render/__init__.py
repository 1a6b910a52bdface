"""People rendered with exact mattes: drawn from a seed here, built and rendered by Blender's own Python."""
