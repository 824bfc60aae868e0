//! Who may do what with a trip, and how it is shared.

use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::storable::is_text;

/// Most people that a trip is shared with.
pub(crate) const COLLABORATORS_MAX: usize = 100;

/// What someone may do with a trip; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Read all of it.
    View,
    /// Change it and its itinerary.
    Edit,
    /// The same as `Edit`: sharing and deleting stay with the owner.
    Admin,
    /// Share and delete it.
    Owner,
}

/// What a collaborator is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Permission {
    /// Read.
    #[default]
    View,
    /// Read and change.
    Edit,
    /// Read and change; for the owner's deputies.
    Admin,
}

/// Someone a trip is shared with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Collaborator {
    pub(crate) user_id: Uuid,
    pub(crate) email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) permission_level: Permission,
    pub(crate) added_by: Uuid,
    pub(crate) added_at: Timestamp,
    /// What the owner said when sharing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// Everyone a trip is shared with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Collaborators {
    /// In the order in which they were added.
    pub(crate) collaborators: Vec<Collaborator>,
    pub(crate) total: usize,
    pub(crate) owner_id: Uuid,
}

/// A request to share a trip.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    #[garde(length(max = 50), inner(length(min = 1, max = 254), custom(is_text)))]
    #[schema(max_items = 50)]
    pub(crate) user_emails: Vec<String>,
    #[serde(default)]
    #[garde(skip)]
    pub(crate) permission_level: Permission,
    /// Shown to those who are added.
    #[serde(default)]
    #[garde(length(chars, max = 500), inner(custom(is_text)))]
    pub(crate) message: Option<String>,
}

/// What came of sharing: every address is in one of the two lists.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Shared {
    pub(crate) added: Vec<Collaborator>,
    pub(crate) skipped: Vec<Skipped>,
}

/// An address with which the trip was not shared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Skipped {
    pub(crate) email: String,
    pub(crate) reason: SkipReason,
}

/// Why it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SkipReason {
    /// Nobody is registered with it.
    UnknownUser,
    /// It is the owner's.
    Owner,
    /// The trip is shared with its user already, maybe at another level, which stays.
    AlreadyCollaborator,
    /// The trip is shared with as many as it can be.
    TooManyCollaborators,
}

/// A request to change what a collaborator may do.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermissionChange {
    #[garde(skip)]
    pub(crate) permission_level: Permission,
}

impl Access {
    /// The access of that name: a permission or `owner`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name == "owner" { Some(Self::Owner) } else { Permission::named(name).map(Self::from) }
    }
}

impl From<Permission> for Access {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::View => Self::View,
            Permission::Edit => Self::Edit,
            Permission::Admin => Self::Admin,
        }
    }
}

impl Permission {
    /// Its name in JSON and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Edit => "edit",
            Self::Admin => "admin",
        }
    }

    /// The permission of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::View, Self::Edit, Self::Admin].into_iter().find(|permission| permission.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("view", Some(Access::View))]
    #[case("edit", Some(Access::Edit))]
    #[case("admin", Some(Access::Admin))]
    #[case("owner", Some(Access::Owner))]
    #[case("Owner", None)]
    #[case("", None)]
    fn access_has_a_name(#[case] name: &str, #[case] expected: Option<Access>) {
        assert_eq!(Access::named(name), expected);
    }

    #[test]
    fn each_access_includes_the_lesser_ones() {
        assert!(Access::View < Access::Edit && Access::Edit < Access::Admin && Access::Admin < Access::Owner);
    }
}
