//! What is never copied from a recording: passwords, tokens, cookies, keys.

/// Parts of names of fields and headers that hold secrets.
const SECRET: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authorization",
    "cookie",
    "sessionid",
    "csrf",
    "xsrf",
    "otp",
    "cvv",
    "cardnumber",
];

/// Whether a field or a header of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET.iter().any(|part| plain.contains(part)) || ["pwd", "pin", "auth", "xauth"].contains(&plain.as_str())
}

/// Whether a value is a signed token (a JWT), whatever it is called.
pub(super) fn looks_secret(value: &str) -> bool {
    value.starts_with("eyJ") && value.split('.').count() == 3
}

/// What stands for a secret in a body: a template that fits, with [`note`] beside it.
pub(super) const TEMPLATE: &str = "${random.hex(16)}";

/// The same for a number.
pub(super) const NUMBER: &str = "${random.int(1000, 9999)}";

/// How secrets are given, once per scenario.
pub(super) const ADVICE: &str = "Secrets were not copied. Where a step says so, save them from the answer of an earlier step \
    (${saved.NAME}), or put them into a file of your own: [feeders.secrets] file = \"secrets.csv\", and write ${secrets.COLUMN}.";

/// What a step says of a secret.
pub(super) fn note(what: &str) -> String {
    format!("{what} is a secret and was not copied; see above.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "password",
            "newPassword",
            "Authorization",
            "X-Api-Key",
            "access_token",
            "Set-Cookie",
            "client_secret",
            "pwd",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["name", "key", "idempotency-key", "passengers", "author", "shopping", "id"] {
            assert!(!is_secret(name), "{name}");
        }
        assert!(
            looks_secret("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln") && !looks_secret("eyJ") && !looks_secret("1.2.3")
        );
    }
}
