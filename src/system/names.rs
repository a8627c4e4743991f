//! Pins glibc's name service: a static binary that loads the machine's `libnss_*.so` crashes, and one that has entered a
//! container would load that container's code.

/// Binds every database to what is linked in: files, and DNS for hosts. Belongs in the first line of main, before any
/// thread. The error says which database could not be pinned.
#[cfg(target_env = "gnu")]
pub fn pin_name_service() -> Result<(), String> {
    const PINS: [(&std::ffi::CStr, &std::ffi::CStr); 10] = [
        (c"hosts", c"files dns"),
        (c"passwd", c"files"),
        (c"group", c"files"),
        (c"shadow", c"files"),
        (c"gshadow", c"files"),
        (c"initgroups", c"files"),
        (c"services", c"files"),
        (c"protocols", c"files"),
        (c"networks", c"files"),
        (c"netgroup", c"files"),
    ];
    for (database, line) in PINS {
        // SAFETY: both are C strings that live for ever, and glibc copies what it keeps; no other thread runs yet.
        #[expect(unsafe_code, reason = "glibc has no safe form of this")]
        let pinned = unsafe { __nss_configure_lookup(database.as_ptr(), line.as_ptr()) };
        if pinned != 0 {
            return Err(format!("pinning the name service for `{}` failed", database.to_string_lossy()));
        }
    }
    Ok(())
}

/// Other C libraries have nothing to pin.
#[cfg(not(target_env = "gnu"))]
pub fn pin_name_service() -> Result<(), String> {
    Ok(())
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc has no safe form of this")]
unsafe extern "C" {
    fn __nss_configure_lookup(database: *const std::ffi::c_char, line: *const std::ffi::c_char) -> std::ffi::c_int;
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_database_can_be_pinned() {
        assert_eq!(super::pin_name_service(), Ok(()));
    }
}
