//! What is never copied from a recording: passwords, tokens, cookies, keys.

/// Parts of names of fields and headers that hold secrets.
const PARTS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "credential",
    "authorization",
    "cookie",
    "sessionid",
    "sessid",
    "csrf",
    "xsrf",
    "otp",
    "cvv",
    "cardnumber",
    "securitycode",
];
/// Words of such names that are parts of harmless words too.
const WORDS: [&str; 6] = ["cvc", "cvn", "jwt", "pan", "pin", "pwd"];
/// Such names that are words of harmless names too.
const NAMES: [&str; 3] = ["auth", "pass", "xauth"];

/// Words of paths with a digit that are no secrets.
const WITH_DIGIT: [&str; 2] = ["2fa", "oauth2"];
/// A longer word without a break was made, not written.
const WORD_MAX: usize = 20;

/// Whether a field or a header of this name holds a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let plain = plain(name);
    let words = words(name);
    PARTS.iter().any(|part| plain.contains(part))
        || WORDS.iter().any(|secret| plain == *secret || words.iter().any(|word| word == secret))
        || NAMES.contains(&plain.as_str())
}

/// Whether a field holds the number of a card, within what has the name `owner`.
pub(super) fn is_card_number(owner: &str, name: &str) -> bool {
    plain(owner).trim_end_matches('s').ends_with("card") && plain(name) == "number"
}

/// Whether a value is a signed token (a JWT) or has a scheme of credentials before it, whatever it is called.
pub(crate) fn looks_secret(value: &str) -> bool {
    let has_scheme = |scheme: &str| ["basic", "bearer"].contains(&scheme.to_ascii_lowercase().as_str());
    match value.trim().split_once(' ') {
        Some((scheme, rest)) if has_scheme(scheme) => {
            let rest = rest.trim_start();
            is_signed(rest) || (is_opaque(rest) && !rest.contains(' '))
        }
        _ => is_signed(value.trim()),
    }
}

/// Three parts when it is signed, five when it is encrypted (RFC 7515, RFC 7516).
fn is_signed(value: &str) -> bool {
    value.starts_with("eyJ") && [3, 5].contains(&value.split('.').count())
}

/// Whether a word was made rather than written, as `reset`, `resetPassword` and `v2` are: after a secret name it is the secret.
pub(super) fn is_opaque(word: &str) -> bool {
    let is_version = |digits: &str| (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if word.is_empty() || WITH_DIGIT.contains(&word) || word.strip_prefix('v').is_some_and(is_version) {
        return false;
    }
    let words = words(word);
    let letter_count: usize = words.iter().map(|word| word.chars().count()).sum();
    // Chance changes between small and large letters far more often than people do.
    let is_jumbled = words.len() > 2 && letter_count < 3 * words.len();
    word.chars().any(|c| !c.is_alphabetic() && !"-_.".contains(c))
        || !word.chars().any(char::is_lowercase)
        || words.iter().any(|word| word.chars().count() > WORD_MAX)
        || is_jumbled
}

/// A name without what stands between its words.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The words of a name in lower case: of `newPINCode_2`, `new`, `pin` and `code`.
fn words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut before = ' ';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let ends_acronym = before.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (before.is_lowercase() || ends_acronym) {
            spaced.push(' ');
        }
        spaced.push(if c.is_alphabetic() { c.to_ascii_lowercase() } else { ' ' });
        before = c;
    }
    spaced.split_whitespace().map(str::to_owned).collect()
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
            "PwD",
            "user_pwd",
            "cvc",
            "cardCVC2",
            "pin_code",
            "newPin",
            "new_pin",
            "PINConfirmation",
            "pan",
            "card_number",
            "security-code",
            "idJwt",
            "pass",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "name",
            "key",
            "idempotency-key",
            "passengers",
            "boarding_pass",
            "author",
            "shopping",
            "id",
            "spinCount",
            "company",
            "postcode",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_form() {
        for value in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "bearer 8c1f0e9d2b7a",
            "Basic dXNlcjpwYXNz",
        ] {
            assert!(looks_secret(value), "{value}");
        }
        for value in ["eyJ", "1.2.3", "Bearer", "Basic plan", "Basic", "bearer of good news 2", "8c1f0e9d2b7a", ""] {
            assert!(!looks_secret(value), "{value}");
        }
    }

    #[test]
    fn what_may_be_secret_in_a_path_is_told_from_words() {
        for word in
            ["8c1f0e9d2b7a", "hunter2", "1234", "QWERTYUIOP", "AbCdEfGh", "abcdefghijklmnopqrstuvwxyz", "é=", "v1x"]
        {
            assert!(is_opaque(word), "{word}");
        }
        for word in
            ["", "reset", "reset-password", "resetPassword", "signIn", "token.json", "v1", "v12", "oauth2", "2fa"]
        {
            assert!(!is_opaque(word), "{word}");
        }
    }
}
