//! What an operator does with the database beside serving from it: check the audit log, apply the ledger of deletions, let
//! a user in.

use garde::Validate as _;

use crate::{
    Config,
    app::{App, Registrar, RegistrationError, now},
    domain::{
        audit::{Break, BreakKind},
        user::{Registration, normal_email},
    },
    storage,
};

/// Links checked in one go.
const CHECK_STEP: u32 = 10_000;

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database or something else that is needed cannot be opened.
    #[error("cannot open the service's data")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database failed on the way.
    #[error("cannot go on")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The e-mail address or the password of a new user is not good.
    #[error("the user cannot be created")]
    Registration(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Self::Storage(Box::new(error))
    }
}

/// What a check of the audit log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every link holds.
    Intact {
        /// How many there are.
        links: i64,
        /// Hash of the last one: the whole log in one value, to be kept elsewhere.
        hash: String,
    },
    /// A link does not hold; those before it do.
    Broken {
        /// Its number.
        link: i64,
        /// The event it seals.
        event_id: String,
        /// `changed`, `missing` or `reordered`.
        how: &'static str,
    },
    /// Every link holds, but the one with the hash that was known is not among them.
    CutShort {
        /// How many there are.
        links: i64,
    },
}

/// What applying the ledger of deletions left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reapplied {
    /// Deletions in the ledger.
    pub total: u64,
    /// Those of which something may be left, at the memory server for example.
    pub open: u64,
}

/// What came of letting a user in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserCreation {
    /// There is a new user.
    Created,
    /// There was one with that e-mail address; nothing has changed, the password neither.
    Exists,
}

/// Checks the whole audit log, and that it still holds the link with a hash known from before.
///
/// # Errors
/// The database cannot be opened or read.
pub async fn verify_audit(config: Config, known_hash: Option<&str>) -> Result<AuditVerdict, Error> {
    let app = open(config).await?;
    let verdict = verdict(&app, known_hash).await;
    app.storage.close().await;
    verdict
}

/// Erases again everything of every user in the ledger of deletions, as after a backup was restored.
///
/// # Errors
/// The database cannot be opened, or fails.
pub async fn reapply_deletions(config: Config) -> Result<Reapplied, Error> {
    let app = open(config).await?;
    let reapplied = reapplied(&app).await;
    app.storage.close().await;
    reapplied
}

/// Creates a user, also with the e-mail address of an administrator, with which nobody can register.
///
/// # Errors
/// The database cannot be opened, or fails; the e-mail address or the password is not good.
pub async fn create_user(config: Config, email: &str, password: String) -> Result<UserCreation, Error> {
    let app = open(config).await?;
    let created = created_user(&app, email, password).await;
    app.storage.close().await;
    created
}

async fn open(config: Config) -> Result<App, Error> {
    App::open(config).await.map_err(|error| Error::Open(Box::new(error)))
}

async fn verdict(app: &App, known_hash: Option<&str>) -> Result<AuditVerdict, Error> {
    let mut checked_to = 0;
    loop {
        // A link that was there a moment ago may be gone: then its chain ends here.
        let Some(checked) = app.check_audit(checked_to, CHECK_STEP).await? else {
            return Ok(AuditVerdict::CutShort { links: checked_to });
        };
        if let Some(Break { seq, event_id, kind }) = checked.first_break {
            return Ok(AuditVerdict::Broken { link: seq, event_id, how: name(kind) });
        }
        let links = checked.head.seq;
        if links - checked_to < i64::from(CHECK_STEP) {
            let is_cut = match known_hash {
                Some(hash) => !app.storage.chain_holds(hash).await?,
                None => false,
            };
            let hash = checked.head.hash;
            return Ok(if is_cut { AuditVerdict::CutShort { links } } else { AuditVerdict::Intact { links, hash } });
        }
        checked_to = links;
    }
}

async fn reapplied(app: &App) -> Result<Reapplied, Error> {
    let total = app.storage.reopen_deletions(now()).await?;
    app.erase_due().await?;
    let open = u64::try_from(app.storage.open_deletions().await?).unwrap_or_default();
    Ok(Reapplied { total, open })
}

async fn created_user(app: &App, email: &str, password: String) -> Result<UserCreation, Error> {
    if app.storage.user_by_email(&normal_email(email)).await?.is_some() {
        return Ok(UserCreation::Exists);
    }
    let new = Registration { email: email.to_owned(), password, full_name: None };
    new.validate().map_err(|report| Error::Registration(report.to_string().trim_end().into()))?;
    match app.register(new, Registrar::Operator).await {
        Ok(_) => Ok(UserCreation::Created),
        Err(RegistrationError::Taken) => Ok(UserCreation::Exists),
        Err(RegistrationError::Storage(error)) => Err(error.into()),
        Err(RegistrationError::Password(error)) => Err(Error::Registration(Box::new(error))),
    }
}

fn name(kind: BreakKind) -> &'static str {
    match kind {
        BreakKind::Changed => "changed",
        BreakKind::Missing => "missing",
        BreakKind::Reordered => "reordered",
    }
}
