//! Signatures as minisign makes them: who signed some bytes, and what was said of them.
//!
//! The form: <https://jedisct1.github.io/minisign/>. Only the one that signs a digest of the bytes is taken, as minisign
//! writes it since 0.10; the older one is refused.
mod sign;
mod trusted;

pub use sign::SecretKey;
pub use trusted::trusted;

use crate::error::{Error, Result};
use minisign_verify::Error as Refusal;
use std::path::{Path, PathBuf};

/// What a signature is called: that of `FILE` lies beside it as `FILE.minisig`.
pub const SUFFIX: &str = ".minisig";

/// Returns where the signature of a file is.
pub fn beside(file: &Path) -> PathBuf {
    let mut beside = file.as_os_str().to_owned();
    beside.push(SUFFIX);
    beside.into()
}

/// A public key, by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it is called: of `trusted.d/ops.pub`, `ops`.
    pub name: String,
    key: minisign_verify::PublicKey,
}

/// What a signature says that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The name of the key.
    pub by: String,
    /// Its trusted comment: it is signed as well. Text of somebody's, not escaped.
    pub comment: String,
}

impl Key {
    /// Reads a public key: two lines as in minisign.pub, or the second of them alone.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("untrusted comment:"));
        let key = minisign_verify::PublicKey::from_base64(line.unwrap_or_default()).map_err(|_| {
            Error::new(format!("reading the public key `{name}`"))
                .reason("it is not a public key of minisign")
                .remedy("put the two lines of the `.pub` file there that `minisign -G` wrote")
        })?;
        Ok(Self { name: name.to_owned(), key })
    }
}

/// Verifies the signature of some bytes, which are called `what` in an error, by one of these keys.
pub fn verify(keys: &[Key], what: &str, bytes: &[u8], signature: &str) -> Result<Signed> {
    let error = |why: &str, remedy: &str| {
        Err(Error::new(format!("verifying the signature of `{what}`")).reason(why).remedy(remedy))
    };
    let Ok(signature) = minisign_verify::Signature::decode(signature) else {
        return error("it is not a signature of minisign", "sign it with `minisign -S`");
    };
    for key in keys {
        return match key.key.verify(bytes, &signature, false) {
            Err(Refusal::UnexpectedKeyId) => continue,
            Ok(()) => Ok(Signed { by: key.name.clone(), comment: signature.trusted_comment().to_owned() }),
            Err(Refusal::UnexpectedAlgorithm) => error(
                "it is of minisign's old form, which signs the bytes themselves",
                "sign it with `minisign -S -H`, which signs a digest of them",
            ),
            Err(_) => error(
                &format!("it is by the key `{}`, and not of these bytes: they or the signature were changed", key.name),
                "get both anew from whom you trust; use neither until they fit",
            ),
        };
    }
    let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
    let trusted = if names.is_empty() { "there is none".to_owned() } else { format!("trusted: {}", names.join(", ")) };
    error(
        &format!("it is by none of the keys that are trusted ({trusted})"),
        "if you trust who signed it, add their public key to those",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by minisign 0.11, of `test\n`.
    const KEY: &str = "untrusted comment: minisign public key 752D0F71EF6EA730\n\
        RWQwp27vcQ8tdY9OhGveB+HXvDYqF191/eFP/JHTUdQnDka3++me8sxG\n";
    const OTHER: &str = "RWSY0zoi9cqLBVl0G99zrkrKsRd6Bcn8G9iFdaAnOX4J9bIYSgEXh+tU";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUQwp27vcQ8tddxztAljtH00eY6o+7CrX51I8PqJfrCWC24mHLBNc82ilVGel9nbTYMxE9pKC+diZjGYesB4uuDkASr34hiMLwU=\n\
        trusted comment: what it says\n\
        6xfS0iwzHk0sb7X73Q45SbEsDGR/c1Fc584bVnFrAnK7pk60brbDryZmR+rDwL0KyLnCbqXZm1DqbuDmwomaAg==\n";
    const LEGACY: &str = "untrusted comment: signature from minisign secret key\n\
        RWQwp27vcQ8tdTtD5Mv3w6KRLo2RnUJE//rm8JvcPNXq0o6nT+Wnqmr5eWlHzeKFK2o2HqR808Oyx0VXcy3rC83Ev/bJU7SYRQY=\n\
        trusted comment: what it says\n\
        xVOEOVY0yx/k8FNINbTNaZivWM5YMhJ+TG8u2JeNOUdVp/C3uu7mThe88d/s2XsIdKWazz/8pZsglz7wLPOHCA==\n";

    fn keys() -> Vec<Key> {
        vec![Key::parse("other", OTHER).unwrap(), Key::parse("ops", KEY).unwrap()]
    }

    fn refusal(bytes: &[u8], signature: &str) -> String {
        verify(&keys(), "web.tar", bytes, signature).unwrap_err().causes.join("; ")
    }

    #[test]
    fn what_minisign_signed_is_known_by_the_name_of_the_key_and_what_it_says() {
        let signed = verify(&keys(), "web.tar", b"test\n", SIGNATURE).unwrap();
        assert_eq!(signed, Signed { by: "ops".to_owned(), comment: "what it says".to_owned() });
    }

    #[test]
    fn one_bit_of_bytes_signature_or_comment_makes_it_wrong() {
        let changed = "it is by the key `ops`, and not of these bytes: they or the signature were changed";
        assert_eq!(refusal(b"tesT\n", SIGNATURE), changed);
        assert_eq!(refusal(b"", SIGNATURE), changed);
        assert_eq!(refusal(b"test\n", &SIGNATURE.replace("it says", "it sayt")), changed);
        assert_eq!(refusal(b"test\n", &SIGNATURE.replace("XNzt", "XNzu").replace("xztAlj", "xztAlk")), changed);
        assert_eq!(refusal(b"test\n", &SIGNATURE.replace("6xfS", "6xfT")), changed);
    }

    #[test]
    fn a_signature_cut_off_anywhere_is_none() {
        for end in 0..SIGNATURE.len() - "\n".len() {
            let error = verify(&keys(), "web.tar", b"test\n", &SIGNATURE[..end]).unwrap_err();
            assert_eq!(error.attempt, "verifying the signature of `web.tar`", "at {end}");
        }
    }

    #[test]
    fn a_key_that_is_not_trusted_and_the_old_form_are_refused() {
        let alone = [Key::parse("other", OTHER).unwrap()];
        let error = verify(&alone, "web.tar", b"test\n", SIGNATURE).unwrap_err();
        assert_eq!(error.causes, ["it is by none of the keys that are trusted (trusted: `other`)"]);
        let error = verify(&[], "web.tar", b"test\n", SIGNATURE).unwrap_err();
        assert_eq!(error.causes, ["it is by none of the keys that are trusted (there is none)"]);
        assert_eq!(refusal(b"test\n", LEGACY), "it is of minisign's old form, which signs the bytes themselves");
        assert_eq!(refusal(b"test\n", "hello"), "it is not a signature of minisign");
    }

    #[test]
    fn what_is_no_public_key_says_so() {
        for text in ["", "untrusted comment: x\n", "hello", &KEY[..80]] {
            let error = Key::parse("ops", text).unwrap_err();
            assert_eq!(error.causes, ["it is not a public key of minisign"], "{text}");
        }
    }
}
