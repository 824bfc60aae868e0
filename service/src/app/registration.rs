//! New users: who registers here, and whom an operator lets in.

use uuid::Uuid;

use super::{App, clock::now, passwords::HashError};
use crate::{
    domain::user::{Registration, User, normal_email},
    storage::{self, NewUser},
};

/// Who asks for a new user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registrar {
    /// Whoever reaches the service.
    Anybody,
    /// Whoever runs it: only they make administrators.
    Operator,
}

/// Why there is no new user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    #[error("the e-mail address is taken")]
    Taken,
    #[error(transparent)]
    Password(#[from] HashError),
    #[error(transparent)]
    Storage(storage::Error),
}

impl App {
    /// Makes a new user of a registration that is valid.
    ///
    /// An administrator is known by the e-mail address alone, and whose that is nobody checks: for anybody but the operator
    /// such an address is taken, after the same work, so that the answer does not tell which ones these are.
    ///
    /// # Errors
    /// The address is taken, or the password cannot be hashed, or the database fails.
    pub(crate) async fn register(&self, new: Registration, by: Registrar) -> Result<User, RegistrationError> {
        let password_hash = self.passwords.hash(new.password).await?;
        let (id, now, email) = (Uuid::new_v4(), now(), normal_email(&new.email));
        if by == Registrar::Anybody && self.tokens.is_admin(&email) {
            return Err(RegistrationError::Taken);
        }
        let full_name = new.full_name.as_deref();
        let user = NewUser { id, email: &email, full_name, password_hash: &password_hash, now };
        self.storage.create_user(user).await.map_err(|error| match error {
            storage::Error::Duplicate(_) => RegistrationError::Taken,
            error => RegistrationError::Storage(error),
        })?;
        Ok(User { id, email, full_name: new.full_name, created_at: now, updated_at: now })
    }
}
