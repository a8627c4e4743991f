//! A key as minisign has one, made for a test, that signs with `openssl` what minisign would.
use std::fs;
use std::path::Path;
use std::process::Command;

pub struct SigningKey {
    dir: tempfile::TempDir,
}

impl SigningKey {
    pub fn new() -> Self {
        let key = Self { dir: tempfile::tempdir().unwrap() };
        key.sh("openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout -outform DER -out key.der");
        fs::write(key.path().join("key.pub"), format!("untrusted comment: a test's\n{}\n", key.public())).unwrap();
        key
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the file of the public half.
    pub fn file(&self) -> std::path::PathBuf {
        self.path().join("key.pub")
    }

    /// Returns the public half: the second line of that file.
    pub fn public(&self) -> String {
        self.sh("{ printf Ed12345678; tail -c 32 key.der; } | openssl base64 -A")
    }

    /// Returns the signature of some bytes: what would be in the file `.minisig`.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> String {
        fs::write(self.path().join("bytes"), bytes).unwrap();
        fs::write(self.path().join("comment"), comment).unwrap();
        let signature = self.sh("openssl dgst -blake2b512 -binary -out digest bytes
             openssl pkeyutl -sign -inkey key.pem -rawin -in digest -out signature
             { printf ED12345678; cat signature; } | openssl base64 -A");
        let global = self.sh("cat signature comment >both
             openssl pkeyutl -sign -inkey key.pem -rawin -in both -out global
             openssl base64 -A -in global");
        format!("untrusted comment: a test's\n{signature}\ntrusted comment: {comment}\n{global}\n")
    }

    fn sh(&self, script: &str) -> String {
        let ran = Command::new("sh").args(["-ec", script]).current_dir(self.path()).output().unwrap();
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }
}
