//! State and services shared by all parts of the running simulator.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::packages::Library;
use super::packages_dir::PackagesDir;
use super::state::State;

/// Shared by connections, timers and the admin handle.
pub(super) struct Hub {
    state: Mutex<State>,
    pub(super) library: Library,
    pub(super) packages_dir: Option<PackagesDir>,
    pub(super) runtime: Handle,
    /// The ports in use besides the main one.
    pub(super) regional_port: u16,
    pub(super) storage_port: u16,
    warned: Mutex<BTreeSet<PathBuf>>,
}

impl Hub {
    pub(super) fn new(
        state: State,
        library: Library,
        packages_dir: Option<PathBuf>,
        runtime: Handle,
        ports: (u16, u16),
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            library,
            packages_dir: packages_dir.map(PackagesDir::new),
            runtime,
            regional_port: ports.0,
            storage_port: ports.1,
            warned: Mutex::default(),
        })
    }

    /// Locks the state. Never hold it across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds orders for packages that have appeared in the folder.
    pub(super) fn look_for_packages(&self) {
        let Some(folder) = &self.packages_dir else { return };
        let known: Vec<String> = self.state().orders.iter().map(|order| order.id.clone()).collect();
        let found = match folder.look(&**self.library.disk(), &known) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot read the packages");
                return;
            }
        };
        for package in found.new {
            tracing::info!(order = %package.id, "added an order from a package");
            self.state().add_package(package.id, package.restorative, package.path);
        }
        for (path, reason) in found.unreadable {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.insert(path.clone()) {
                tracing::warn!(path = %path.display(), reason, "not a package (yet?)");
            }
        }
    }
}
