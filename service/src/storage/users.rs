//! Users.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Error, Storage, audit::record, connection::Connection, row::Row};
use crate::domain::user::User;

/// A user to be stored.
pub(crate) struct NewUser<'a> {
    pub(crate) id: Uuid,
    /// In its normal form.
    pub(crate) email: &'a str,
    pub(crate) full_name: Option<&'a str>,
    pub(crate) password_hash: &'a str,
    pub(crate) now: Timestamp,
}

impl Storage {
    /// Stores a new user.
    ///
    /// # Errors
    /// [`Error::Duplicate`] when the e-mail address is taken.
    pub(crate) async fn create_user(&self, new: NewUser<'_>) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        transaction
            .execute(
                "INSERT INTO users (id, email, full_name, password_hash, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
                &[new.id.into(), new.email.into(), new.full_name.into(), new.password_hash.into(), new.now.into()],
            )
            .await?;
        record(&mut transaction, new.id, "user.registered", new.id, None, new.now).await?;
        transaction.commit().await
    }

    /// The user with that e-mail address (in its normal form), and the hash of the password.
    pub(crate) async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional(
                "SELECT id, email, full_name, password_hash, created_at, updated_at FROM users WHERE email = $1 AND deleted_at IS NULL",
                &[email.into()],
            )
            .await?;
        row.map(|row| Ok((user(&row)?, row.text("password_hash")?))).transpose()
    }

    /// Replaces the hash of a user's password, unless it has changed meanwhile.
    pub(crate) async fn replace_password_hash(&self, id: Uuid, old: &str, new: &str) -> Result<u64, Error> {
        let sql = "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3";
        self.write_once(sql, &[new.into(), id.into(), old.into()]).await
    }

    /// The user with that id, and the hash of the password.
    pub(crate) async fn user_with_password(&self, id: Uuid) -> Result<Option<(User, String)>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional(
                "SELECT id, email, full_name, password_hash, created_at, updated_at FROM users \
                 WHERE id = $1 AND deleted_at IS NULL",
                &[id.into()],
            )
            .await?;
        row.map(|row| Ok((user(&row)?, row.text("password_hash")?))).transpose()
    }

    /// The user with that id.
    pub(crate) async fn user(&self, id: Uuid) -> Result<Option<User>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional(
                "SELECT id, email, full_name, created_at, updated_at FROM users WHERE id = $1 AND deleted_at IS NULL",
                &[id.into()],
            )
            .await?;
        row.map(|row| user(&row)).transpose()
    }
}

/// Lets transactions that begin with it, for the same user, wait for one another. On PostgreSQL a statement does not see
/// what a transaction beside it has written and not committed: neither to count nor to change it.
pub(super) async fn take_turn(transaction: &mut Connection, user_id: Uuid) -> Result<(), Error> {
    transaction.execute("UPDATE users SET updated_at = updated_at WHERE id = $1", &[user_id.into()]).await.map(drop)
}

fn user(row: &Row) -> Result<User, Error> {
    Ok(User {
        id: row.id("id")?,
        email: row.text("email")?,
        full_name: row.optional_text("full_name")?,
        created_at: row.instant("created_at")?,
        updated_at: row.instant("updated_at")?,
    })
}
