"""Expressions as text, before anybody reads them as expressions."""

EXPRESSION_LENGTH_MAX = 10_000


def expression_text_problem(name: str, expression: str) -> str | None:
    """Why the text cannot be an expression, as a sentence that calls it `name`; None when it may be one."""
    if not expression.strip():
        return f"{name} is empty. Write an expression such as params.customer, or leave it out."
    if len(expression) > EXPRESSION_LENGTH_MAX or "\0" in expression:
        return f"{name} has at most {EXPRESSION_LENGTH_MAX} characters and no NUL."
    return None
