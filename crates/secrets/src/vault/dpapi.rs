//! Windows data protection (DPAPI) with the machine's key. The protected key is next to the secrets
//! and only opens on this PC, for the service's account as well as for an administrator who runs
//! `casedrop login`; that is why it is bound to the machine and not to a user. Other users of this
//! PC are kept out by the permissions of the state folder.

use std::io;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use secrecy::zeroize::{Zeroize as _, Zeroizing};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData,
    CryptUnprotectData,
};

use super::{Key, KeyVault, no_randomness, unusable};
use casedrop_disk::{Disk, Moved, read_limited, write_durably_private};
use casedrop_model::fault::Fault;

const FILE_NAME: &str = "key.dpapi";
/// A protected key has about 250 bytes.
const MAX_BYTES: u64 = 64 * 1024;

pub struct Dpapi {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Dpapi {
    /// The key is stored in `dir`.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_path_buf() }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// Returns the key in `key.dpapi`; `None` if there is none that this PC can open.
    fn read(&self) -> Result<Option<Key>, Fault> {
        let bytes = match read_limited(&*self.disk, &self.path(), MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let opened = system(&bytes, false).ok();
        Ok(opened.and_then(|bytes| Key::from_slice(&bytes)))
    }

    /// Moves a key aside that this PC cannot open: it may be useful where it came from.
    fn set_aside(&self) -> Result<(), Fault> {
        for number in 1.. {
            let aside = self.dir.join(format!("key-of-another-pc-{number}.dpapi"));
            if self.disk.rename(&self.path(), &aside)? == Moved::Done {
                tracing::warn!(
                    "{} was created on another PC or another installation of Windows; it is now \
                     {}, and a new key is created",
                    self.path().display(),
                    aside.display()
                );
                break;
            }
        }
        Ok(())
    }
}

impl KeyVault for Dpapi {
    fn word(&self) -> &'static str {
        "dpapi"
    }

    fn name(&self) -> &'static str {
        "Windows' data protection (DPAPI)"
    }

    fn find(&self, id: &str) -> Result<Option<Key>, Fault> {
        Ok(self.read()?.filter(|key| key.id() == id))
    }

    fn current(&self) -> Result<Option<Key>, Fault> {
        self.read()
    }

    fn make(&self) -> Result<Key, Fault> {
        let key = Key::random().ok_or_else(no_randomness)?;
        let bytes = system(key.expose(), true).map_err(|error| {
            unusable("Windows' data protection (DPAPI) refuses to protect a key").caused_by(error)
        })?;
        self.disk.create_private_dirs(&self.dir)?;
        if self.disk.kind(&self.path())?.is_some() {
            self.set_aside()?;
        }
        write_durably_private(&*self.disk, &self.path(), &bytes)?;
        Ok(key)
    }

    fn forget(&self) -> Result<(), Fault> {
        if self.disk.kind(&self.path())?.is_some() {
            self.disk.remove_file(&self.path())?;
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(())
    }
}

/// Protects bytes, or opens protected ones.
fn system(bytes: &[u8], protect: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let input = CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() };
    let mut output = CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() };
    let flags = CRYPTPROTECT_UI_FORBIDDEN;
    #[expect(
        unsafe_code,
        reason = "std has no such call; the input outlives it and is not written to, the rest is \
                  optional or ours"
    )]
    let done = unsafe {
        if protect {
            CryptProtectData(
                &raw const input,
                ptr::null(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                flags | CRYPTPROTECT_LOCAL_MACHINE,
                &raw mut output,
            )
        } else {
            CryptUnprotectData(
                &raw const input,
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                flags,
                &raw mut output,
            )
        }
    };
    if done == 0 || output.pbData.is_null() {
        return Err(io::Error::last_os_error());
    }
    let length = usize::try_from(output.cbData).unwrap_or_default();
    #[expect(unsafe_code, reason = "the call filled that many bytes, which are ours until freed")]
    let result = unsafe {
        let made = std::slice::from_raw_parts_mut(output.pbData, length);
        let result = Zeroizing::new(made.to_vec());
        made.zeroize();
        LocalFree(output.pbData.cast());
        result
    };
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn the_key_is_found_again_by_another_process_and_does_not_lie_there_openly() {
        let dir = tempfile::tempdir().expect("tempdir");
        let vault = || Dpapi::new(Arc::new(RealDisk), dir.path());
        assert!(vault().current().expect("usable").is_none());
        let key = vault().make().expect("made");
        assert_eq!(vault().current().expect("usable").expect("kept").expose(), key.expose());
        assert!(vault().find(key.id()).expect("usable").is_some());
        assert!(vault().find("another").expect("usable").is_none());
        let bytes = std::fs::read(dir.path().join(FILE_NAME)).expect("there");
        assert!(!bytes.windows(key.expose().len()).any(|window| window == key.expose()));
        vault().forget().expect("forgotten");
        vault().forget().expect("none there is fine");
        assert!(vault().current().expect("usable").is_none());
    }

    #[test]
    fn a_key_of_another_pc_is_kept_aside_when_a_new_one_is_made() {
        let dir = tempfile::tempdir().expect("tempdir");
        let vault = Dpapi::new(Arc::new(RealDisk), dir.path());
        std::fs::write(dir.path().join(FILE_NAME), "of another PC").expect("written");
        assert!(vault.current().expect("usable").is_none());
        let key = vault.make().expect("made");
        assert_eq!(vault.current().expect("usable").expect("kept").id(), key.id());
        let aside = std::fs::read(dir.path().join("key-of-another-pc-1.dpapi")).expect("kept");
        assert_eq!(aside, b"of another PC");
    }
}
