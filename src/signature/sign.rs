//! Signing as minisign does, with a secret key that has no password.
use super::Key;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::fmt;

/// What a key begins with: it signs by Ed25519.
const KEY: &[u8] = b"Ed";
/// What a signature of a digest begins with.
const SIGNATURE: &[u8] = b"ED";
/// The key follows as it is.
const NO_PASSWORD: &[u8] = &[0, 0];

/// A secret key.
pub struct SecretKey {
    id: [u8; 8],
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}

impl SecretKey {
    /// Reads a secret key file of minisign, which an error calls `what`.
    pub fn parse(what: &str, text: &str) -> Result<Self> {
        let error = |why: &str| Error::new(format!("reading the secret key `{what}`")).reason(why);
        let no_key = || error("it is not a secret key of minisign").remedy("make one with `minisign -G -W`");
        let line = text.lines().nth(1).ok_or_else(no_key)?;
        let bytes = STANDARD.decode(line.trim()).map_err(|_| no_key())?;
        // Of signing, of the password, of the checksum; salt and costs of the password; id, seed, public key, checksum.
        let parts = [2, 2, 2, 48, 8, 32, 32, 32];
        if bytes.len() != parts.iter().sum::<usize>() || !bytes.starts_with(KEY) {
            return Err(no_key());
        }
        let part = |number: usize| {
            let from: usize = parts[..number].iter().sum();
            &bytes[from..from + parts[number]]
        };
        if part(1) != NO_PASSWORD {
            return Err(error("it has a password").remedy(
                "bundle without `--sign`, then sign with `minisign -S -H -s KEY -m BUNDLE`, which asks for it",
            ));
        }
        let pair = Ed25519KeyPair::from_seed_and_public_key(part(5), part(6))
            .map_err(|_| error("it is damaged: its two halves do not fit").remedy("take it from a copy"))?;
        let id = part(4).try_into().map_err(|_| no_key())?;
        Ok(Self { id, pair })
    }

    /// Returns the signature of some bytes, which says that they are the file of this name.
    pub fn sign(&self, file: &str, bytes: &[u8]) -> String {
        let comment = format!("file:{file}\thashed");
        let signature = self.pair.sign(&Blake2b512::digest(bytes));
        let both = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let whole = STANDARD.encode([SIGNATURE, &self.id, signature.as_ref()].concat());
        format!(
            "untrusted comment: signature by provision\n{whole}\ntrusted comment: {comment}\n{}\n",
            STANDARD.encode(both)
        )
    }

    /// Returns its public key.
    pub fn public(&self, name: &str) -> Result<Key> {
        Key::parse(name, &STANDARD.encode([KEY, &self.id, self.pair.public_key().as_ref()].concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::verify;

    // Made by minisign 0.11 for this test, with `-W` and with the password `hello`.
    const OPEN: &str = "untrusted comment: signature key of a test\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMKdu73EPLXUHaUZEZXedBVCCEOaUO6+vqIWOzRZ20nTWg6sP0J5srI9OhGveB+HXvDYqF191/eFP/JHTUdQnDka3++me8sxGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    const PUBLIC: &str = "RWQwp27vcQ8tdY9OhGveB+HXvDYqF191/eFP/JHTUdQnDka3++me8sxG";
    const CLOSED: &str = "untrusted comment: minisign encrypted secret key\n\
        RWRTY0IyVBf1qwHigyuO0HRZ8ypnpf9pwirn5nuxKr4mLHDc0wYAAAACAAAAAAAAAEAAAAAAtQ5XfQXh7uuvmQdqRKygUB2Iq3rmEmxvsGK/lvBGRpVYI/oZUeQhz4DJJFf010NdOYDwVHkbyOm1v7q3wbBrOI8Vh8iaPIwGw9Iz26KU88191+lZ3pEdvfmF7OhN8jpgTRG51dwmMcw=\n";

    #[test]
    fn what_is_signed_is_verified_by_the_public_key_that_minisign_wrote() {
        let secret = SecretKey::parse("k.key", OPEN).unwrap();
        assert_eq!(secret.public("ops").unwrap(), Key::parse("ops", PUBLIC).unwrap());
        let signature = secret.sign("web.tar", b"test\n");
        let signed = verify(&[Key::parse("ops", PUBLIC).unwrap()], "web.tar", b"test\n", &signature).unwrap();
        assert_eq!((signed.by.as_str(), signed.comment.as_str()), ("ops", "file:web.tar\thashed"));
        assert!(verify(&[secret.public("ops").unwrap()], "web.tar", b"tesT\n", &signature).is_err());
    }

    #[test]
    fn a_key_with_a_password_a_damaged_one_and_what_is_none_say_so() {
        let causes = |text: &str| SecretKey::parse("k.key", text).unwrap_err().causes.join("; ");
        assert_eq!(causes(CLOSED), "it has a password");
        assert_eq!(causes(&OPEN.replace("UHaUZ", "UHaUY")), "it is damaged: its two halves do not fit");
        for text in ["", "hello\nhello\n", PUBLIC, &OPEN[..100]] {
            assert_eq!(causes(text), "it is not a secret key of minisign");
        }
    }
}
