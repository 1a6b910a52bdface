"""Where a cut-out video is bad, why, and what to try: `review` a file, or let a `Reviewer` watch mattes pass."""

from koutu.review.page import page
from koutu.review.report import Finding, Review, require_writable, write_text
from koutu.review.run import Reviewer, review

__all__ = ["Finding", "Review", "Reviewer", "page", "require_writable", "review", "write_text"]
