//! Leases: the right to do what only one replica should do at a time. A lease that is not renewed runs out.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Error, connection::Connection};

/// A lease that someone wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease<'a> {
    pub(crate) name: &'a str,
    /// Who wants it: one id per process.
    pub(crate) holder: Uuid,
    pub(crate) life: SignedDuration,
}

/// Takes or renews a lease, unless another holds it. Two who try at once: the second waits for the first to end.
pub(super) async fn take(transaction: &mut Connection, lease: Lease<'_>, now: Timestamp) -> Result<bool, Error> {
    let rows = transaction
        .execute(
            "INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
             WHERE leases.holder = excluded.holder OR leases.expires_at < $4",
            &[lease.name.into(), lease.holder.into(), (now + lease.life).into(), now.into()],
        )
        .await?;
    Ok(rows == 1)
}
