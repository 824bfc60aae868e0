//! Users and what they register and log in with.

use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A user as others may see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) full_name: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A request to register.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    #[garde(custom(looks_like_an_email), length(max = 254))]
    pub(crate) email: String,
    #[garde(length(chars, min = 8, max = 100), custom(has_four_classes))]
    pub(crate) password: String,
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 100))]
    pub(crate) full_name: Option<String>,
}

/// A request to log in. Its rules are loose: what cannot be right is simply a wrong password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    #[garde(length(min = 1, max = 254))]
    pub(crate) email: String,
    #[garde(length(chars, min = 1, max = 100))]
    pub(crate) password: String,
}

/// The form in which e-mail addresses are kept and compared.
pub(crate) fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// One `@` with something before it, and a dotted name after it: the mail server has the last word anyway.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
pub(super) fn looks_like_an_email(email: &str, (): &()) -> garde::Result {
    let is_email = email.trim().split_once('@').is_some_and(|(user, host)| {
        let labels_are_fine = host.split('.').all(|label| !label.is_empty() && !label.contains(['@', ' ']));
        !user.is_empty() && !user.contains(' ') && host.contains('.') && labels_are_fine
    });
    if is_email { Ok(()) } else { Err(garde::Error::new("is not an e-mail address")) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn has_four_classes(password: &str, (): &()) -> garde::Result {
    let has = |class: fn(char) -> bool| password.chars().any(class);
    let is_special = |c: char| !c.is_alphanumeric();
    if has(char::is_uppercase) && has(char::is_lowercase) && has(char::is_numeric) && has(is_special) {
        return Ok(());
    }
    Err(garde::Error::new("must have an upper-case letter, a lower-case letter, a digit and a special character"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a@b.ch", "Abcdef1!", true)]
    #[case(" Ann@Example.org ", "Pässwörd-9", true)]
    #[case("no-at.example.org", "Abcdef1!", false)]
    #[case("a@b", "Abcdef1!", false)]
    #[case("a@b..ch", "Abcdef1!", false)]
    #[case("a b@b.ch", "Abcdef1!", false)]
    #[case("@b.ch", "Abcdef1!", false)]
    #[case("a@b.ch", "Abcde1!", false)]
    #[case("a@b.ch", "abcdef1!", false)]
    #[case("a@b.ch", "ABCDEF1!", false)]
    #[case("a@b.ch", "Abcdefg!", false)]
    #[case("a@b.ch", "Abcdefg1", false)]
    fn registrations_are_checked(#[case] email: &str, #[case] password: &str, #[case] is_valid: bool) {
        let registration = Registration { email: email.into(), password: password.into(), full_name: None };
        assert_eq!(registration.validate().is_ok(), is_valid, "{email} {password}");
    }
}
