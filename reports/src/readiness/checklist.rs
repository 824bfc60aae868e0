//! The checklist and the signatures, as written in their files.
use super::evidence::Kind;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What has to be there before a launch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// One line for people.
    pub title: String,
    /// What has to be there, in the order of the page.
    pub rows: Vec<Row>,
}

/// One thing that has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// A short name, unique in the list, by which it is signed.
    pub id: String,
    /// The heading that it stands under.
    pub section: String,
    /// What has to be there, in words.
    pub title: String,
    /// What proves it; each has to.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Who has to sign it, as a role; nobody when `None`.
    pub sign_off: Option<String>,
}

/// Evidence that a row needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Need {
    /// Of which kind.
    pub kind: Kind,
    /// Of which scenario.
    pub scenario: String,
    /// Gates that a run must have, as written in it, and that must have passed; whatever it has when empty.
    pub gates: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    run: Option<String>,
    alerts: Option<String>,
    capacity: Option<String>,
    #[serde(default)]
    gates: Vec<String>,
}

impl TryFrom<Written> for Need {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { run, alerts, capacity, gates } = written;
        let named = [(Kind::Run, run), (Kind::Alerts, alerts), (Kind::Capacity, capacity)];
        let mut named = named.into_iter().filter_map(|(kind, scenario)| Some((kind, scenario?)));
        match (named.next(), named.next()) {
            (Some((kind, _)), None) if kind != Kind::Run && !gates.is_empty() => Err("only a `run` has `gates`"),
            (Some((kind, scenario)), None) => Ok(Self { kind, scenario, gates }),
            _ => Err("a need names one scenario, as `run`, `alerts` or `capacity`"),
        }
    }
}

/// Who signed what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    /// By the row's short name.
    #[serde(default)]
    pub signed: BTreeMap<String, Signature>,
}

/// Somebody's word that a row is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Whose.
    pub by: String,
    /// When it was given.
    pub on: Date,
    /// The last day on which it counts; for ever when `None`.
    pub until: Option<Date>,
    /// What it rests on, such as a link.
    pub note: Option<String>,
}

/// What is wrong with a checklist or its signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing to judge.
    #[error("the checklist has no rows")]
    Empty,
    /// Two rows have one name.
    #[error("two rows are called `{0}`")]
    Twice(String),
    /// Nothing could ever meet a row.
    #[error("row `{0}` has neither `needs` nor `sign_off`, so nothing could ever meet it")]
    Unbound(String),
    /// A signature is for a row that is not there.
    #[error("`{id}` is signed, but the checklist has no such row; rows to sign are {known}")]
    UnknownRow {
        /// The name.
        id: String,
        /// Those that can be signed.
        known: String,
    },
    /// A signature is for a row that evidence decides.
    #[error("`{0}` is signed, but is proven by evidence alone")]
    NotToSign(String),
    /// Nobody has signed.
    #[error("the signature of `{0}` has no name in `by`")]
    Nobody(String),
    /// A signature is dated in the future.
    #[error("the signature of `{id}` is of {on}, which is not yet")]
    Future {
        /// The row.
        id: String,
        /// The date.
        on: Date,
    },
}

impl Checklist {
    /// Checks the list alone.
    ///
    /// # Errors
    /// With the first row that cannot be judged.
    pub fn check(&self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Err(Error::Empty);
        }
        let mut known = BTreeSet::new();
        for row in &self.rows {
            if !known.insert(&row.id) {
                return Err(Error::Twice(row.id.clone()));
            }
            if row.needs.is_empty() && row.sign_off.is_none() {
                return Err(Error::Unbound(row.id.clone()));
            }
        }
        Ok(())
    }

    /// Checks signatures against the list, on a day.
    ///
    /// # Errors
    /// With the first signature that cannot count.
    pub fn check_signatures(&self, signatures: &Signatures, today: Date) -> Result<(), Error> {
        for (id, signature) in &signatures.signed {
            let row = self.rows.iter().find(|row| row.id == *id);
            match row {
                None => return Err(Error::UnknownRow { id: id.clone(), known: self.to_sign() }),
                Some(row) if row.sign_off.is_none() => return Err(Error::NotToSign(id.clone())),
                Some(_) if signature.by.trim().is_empty() => return Err(Error::Nobody(id.clone())),
                Some(_) if signature.on > today => return Err(Error::Future { id: id.clone(), on: signature.on }),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn to_sign(&self) -> String {
        let rows = self.rows.iter().filter(|row| row.sign_off.is_some());
        rows.map(|row| row.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}
