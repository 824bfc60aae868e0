//! Columns that hold sealed secrets, as the change of a master key sees them. A new such column is one entry in `SEALED`.

use uuid::Uuid;

use super::{Error, Storage};
use crate::sealing::Place;

/// A column with sealed secrets, of a table with an `id`.
pub(crate) struct SealedColumn {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// Ids and texts that do not begin as `$1` says, after the id `$2`, at most `$3`, by id.
    select: &'static str,
    /// Puts `$1` into the row `$2` if that still holds `$3`.
    update: &'static str,
}

/// A sealed secret.
pub(crate) struct Sealed {
    pub(crate) row: Uuid,
    pub(crate) text: String,
}

/// Every column with sealed secrets.
pub(crate) const SEALED: [&SealedColumn; 2] = [&API_KEY_SECRETS, &BOOKING_PASSENGERS];

/// The secrets of users' own keys.
pub(crate) const API_KEY_SECRETS: SealedColumn = SealedColumn {
    table: "api_keys",
    column: "secret",
    select: "SELECT id, secret AS text FROM api_keys WHERE secret NOT LIKE $1 AND id > $2 ORDER BY id LIMIT $3",
    update: "UPDATE api_keys SET secret = $1 WHERE id = $2 AND secret = $3",
};

/// Who travels on a booking, and how to reach them.
pub(crate) const BOOKING_PASSENGERS: SealedColumn = SealedColumn {
    table: "bookings",
    column: "passengers_sealed",
    select: "SELECT id, passengers_sealed AS text FROM bookings \
             WHERE passengers_sealed NOT LIKE $1 AND id > $2 ORDER BY id LIMIT $3",
    update: "UPDATE bookings SET passengers_sealed = $1 WHERE id = $2 AND passengers_sealed = $3",
};

impl SealedColumn {
    /// Where the secret of a row is kept.
    pub(crate) fn place(&self, row: Uuid) -> Place {
        Place { table: self.table, column: self.column, row }
    }
}

impl Storage {
    /// Some texts that do not begin with `prefix`, after the row `after`, by row. `prefix` has no wildcard in it.
    pub(crate) async fn sealed_otherwise(
        &self,
        column: &SealedColumn,
        prefix: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Sealed>, Error> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        let pattern = format!("{prefix}%");
        let values = [pattern.as_str().into(), after.as_str().into(), limit.into()];
        let rows = self.read().await?.fetch_all(column.select, &values).await?;
        rows.iter().map(|row| Ok(Sealed { row: row.id("id")?, text: row.text("text")? })).collect()
    }

    /// Replaces a sealed text, unless it has changed meanwhile. Returns how many rows that changed.
    pub(crate) async fn replace_sealed(&self, column: &SealedColumn, old: &Sealed, new: &str) -> Result<u64, Error> {
        let mut transaction = self.write().await?;
        let rows = transaction.execute(column.update, &[new.into(), old.row.into(), old.text.as_str().into()]).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}
