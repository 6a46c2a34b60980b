"""`scheduler-api openapi`: writes the description of the API, as docs/api/openapi.json holds it."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="openapi", help="Write the OpenAPI document of the API.")


@app.default
def write_openapi(
    *, out: Annotated[Path | None, Parameter(name=["--out"], help="A file to write it to [stdout].")] = None
) -> int:
    """Write the OpenAPI 3.1 document of this version."""
    from scheduler_api.openapi_document import encoded_openapi_document

    content = encoded_openapi_document()
    if out is None:
        sys.stdout.write(content.decode())
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(content)
    return 0
