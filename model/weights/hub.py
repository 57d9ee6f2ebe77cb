"""Released checkpoints, fetched from the Hugging Face Hub.

What the Hub's own client leaves open is waiting. Without a network it repeats its look-up for
minutes, and a server that breaks off every transfer is asked without end. So the look-up is made
here, once and with a short timeout, and during the download a request hook counts how often one
address is asked. HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE and the client's other variables work as it
documents them.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.model.errors import InputError, MissingExtraError, first_line

if TYPE_CHECKING:
    import httpx2

LOOKUP_SECONDS = 5.0  # for the one request that asks which version the Hub holds
REQUESTS_PER_ADDRESS = 4  # one download, three resumptions; each waits 10 s for data at most


class _BrokenOffError(OSError):
    """The transfer was broken off too often."""


def fetch_checkpoint(repo_id: str, *filenames: str) -> Path:
    """The path in the Hub's cache of the first of these files that the repository has, by default
    model.safetensors, downloaded first where missing or old.

    Shows the client's progress bar on standard error. A cached file serves when the Hub cannot be
    asked.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        InputError: none is cached or to be had (no network, HF_HUB_OFFLINE, no such repository or
            file, access refused, broken transfer, disk full). Nothing partial is left in place.
    """
    try:
        import httpx2
        import huggingface_hub as hub
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "cli") from error

    # ValueError: a malformed name of a repository. RuntimeError: a transfer by Xet, in Rust.
    failures = (OSError, ValueError, RuntimeError, httpx2.HTTPError, httpx2.InvalidURL)
    filenames = filenames or ("model.safetensors",)
    try:
        filename = _held(repo_id, filenames)
    except failures as error:
        for each in filenames:
            if cached := _cached(repo_id, each):
                return cached
        raise _explained(error, repo_id, filenames) from error
    try:
        with _counted_requests(hub.get_session()):
            return Path(hub.hf_hub_download(repo_id, filename, etag_timeout=LOOKUP_SECONDS))
    except failures as error:
        raise _explained(error, repo_id, [filename]) from error


def _held(repo_id: str, filenames: Sequence[str]) -> str:
    """The first of these files that the repository has. Raises what the client does."""
    import huggingface_hub as hub
    from huggingface_hub.errors import EntryNotFoundError

    *first, last = filenames
    for filename in first:
        with suppress(EntryNotFoundError):
            hub.get_hf_file_metadata(_address(repo_id, filename), timeout=LOOKUP_SECONDS)
            return filename
    hub.get_hf_file_metadata(_address(repo_id, last), timeout=LOOKUP_SECONDS)
    return last


def _address(repo_id: str, filename: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{repo_id}/resolve/main/{filename}"


def _cached(repo_id: str, filename: str) -> Path | None:
    import huggingface_hub as hub

    try:
        found = hub.try_to_load_from_cache(repo_id, filename)
    except ValueError:  # a malformed repository name
        return None
    return Path(found) if isinstance(found, str) else None


@contextmanager
def _counted_requests(session: httpx2.Client) -> Iterator[None]:
    """Within it, asking one address more than REQUESTS_PER_ADDRESS times raises _BrokenOffError."""
    asked: Counter[tuple[str, str]] = Counter()

    def count(request: httpx2.Request) -> None:
        key = (request.method, str(request.url))
        asked[key] += 1
        if asked[key] > REQUESTS_PER_ADDRESS:
            raise _BrokenOffError(f"the transfer broke off {REQUESTS_PER_ADDRESS} times")

    before = session.event_hooks
    session.event_hooks = {**before, "request": [*before["request"], count]}
    try:
        yield
    finally:
        session.event_hooks = before


def _explained(error: Exception, repo_id: str, filenames: Sequence[str]) -> InputError:
    names = " or ".join(f"'{each}'" for each in filenames)
    return InputError(
        f"cannot fetch {names} of '{repo_id}': {_reason(error)}; download "
        f"{_address(repo_id, filenames[0])} by hand and name the file (there is no folder "
        f"'{repo_id}' here)"
    )


def _reason(error: Exception) -> str:
    """What went wrong, in one phrase without a line break."""
    import httpx2
    from huggingface_hub import constants, errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set and the cache {constants.HF_HUB_CACHE} does not hold it"
    if isinstance(error, errors.GatedRepoError):
        return "its owner must grant access first (accept the terms on its page, then set HF_TOKEN)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{constants.ENDPOINT} has no such repository, or it is private (then set HF_TOKEN)"
    if isinstance(error, errors.EntryNotFoundError):
        return "the repository has no such file"
    if isinstance(error, errors.HfHubHTTPError):
        return f"{constants.ENDPOINT} answered with status {error.response.status_code}"
    if isinstance(error, errors.FileMetadataError):
        return f"{constants.ENDPOINT} is not a Hugging Face Hub (check HF_ENDPOINT and proxies)"
    if isinstance(error, httpx2.TimeoutException):
        return f"{constants.ENDPOINT} did not answer in time"
    if isinstance(error, httpx2.TransportError):
        return f"no connection to {constants.ENDPOINT} ({first_line(error).rstrip('.')})"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left for it in {constants.HF_HUB_CACHE} (HF_HOME moves the cache)"
    return first_line(error).rstrip(".")
