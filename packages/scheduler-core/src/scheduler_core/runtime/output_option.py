"""The option that chooses how data is written."""

from typing import Annotated

from cyclopts import Parameter

from scheduler_core.runtime.console import OutputFormat

Output = Annotated[OutputFormat, Parameter(name=["--output", "-o"], help="How to write the answer.")]
