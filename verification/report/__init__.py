"""What `deimv2 report` and `deimv2 verify --report` write: one HTML page to read and to share.

html = page(verify_folder(Path("artifacts/atto")))
"""

from deimv2.verification.report.phones import PhoneRow, read_phone
from deimv2.verification.report.render import page

__all__ = ["PhoneRow", "page", "read_phone"]
