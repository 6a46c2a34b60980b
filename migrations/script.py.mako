"""${message}"""

from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only expand: add what is new, keep what the version before needs."""
    ${upgrades if upgrades else 'op.execute("")'}


def downgrade() -> None:
    """Take back what upgrade added."""
    ${downgrades if downgrades else 'op.execute("")'}
