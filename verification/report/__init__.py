"""What `deimv2 verify --report` writes: one HTML page to read and to share.

html = page(verify_folder(Path("artifacts/atto")))
"""

from deimv2.verification.report.render import page

__all__ = ["page"]
