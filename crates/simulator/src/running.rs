//! Starts and stops the simulator. It runs on its own thread with its own runtime, so that both
//! synchronous and asynchronous callers can use it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use casedrop_disk::{Disk, RealDisk};

use super::handle::Admin;
use super::hub::Hub;
use super::made::MadePackages;
use super::packages::{Library, PackageSource};
use super::routes::OAUTH_BASE;
use super::scenario::{Scenario, ScenarioError};
use super::server::{self, Port};
use super::state::State;
use super::tokens::random_token;

/// How long connections get to end when the simulator stops.
const STOPPING: Duration = Duration::from_secs(2);

/// What to simulate, and where.
pub struct SimulatorConfig {
    /// The address to listen on; port 0 picks a free one. Two more ports are used on that address.
    pub listen: SocketAddr,
    pub scenario: Scenario,
    /// A folder of export archives that are served as ready orders.
    pub packages_dir: Option<PathBuf>,
    pub packages: Arc<dyn PackageSource>,
    /// Holds large packages while the simulator runs.
    pub disk: Arc<dyn Disk>,
}

impl SimulatorConfig {
    /// A simulator on a free loopback port, with believable packages.
    pub fn new(scenario: Scenario) -> Self {
        Self::with_packages(scenario, Arc::new(MadePackages))
    }

    /// A simulator on a free loopback port, whose packages come from `packages`.
    pub fn with_packages(scenario: Scenario, packages: Arc<dyn PackageSource>) -> Self {
        Self {
            packages,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            scenario,
            packages_dir: None,
            disk: Arc::new(RealDisk),
        }
    }
}

/// Why the simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The runtime cannot be started.
    #[error("cannot start the simulator's threads")]
    Threads(#[source] io::Error),
}

#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts the simulator; once this returns, it accepts connections.
    ///
    /// # Errors
    /// If an address is in use or the scenario is wrong.
    pub fn start(config: SimulatorConfig) -> Result<Running, SimulatorError> {
        config.scenario.check()?;
        let main = listen(config.listen)?;
        let address = local(&main, config.listen)?;
        let beside = SocketAddr::new(address.ip(), 0);
        let (regional, storage) = (listen(beside)?, listen(beside)?);
        let ports = (local(&regional, beside)?.port(), local(&storage, beside)?.port());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("simulator")
            .enable_all()
            .build()
            .map_err(SimulatorError::Threads)?;
        let spool = std::env::temp_dir().join(format!("casedrop-simulator-{}", random_token()));
        let hub = Hub::new(
            State::new(config.scenario),
            Library::new(config.disk, config.packages, spool),
            config.packages_dir,
            runtime.handle().clone(),
            ports,
        );
        hub.look_for_packages();
        let admin = Admin::new(hub.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || {
                let serving = hub.clone();
                runtime.block_on(async move {
                    tokio::spawn(server::serve(regional, Port::Regional, serving.clone()));
                    tokio::spawn(server::serve(storage, Port::Storage, serving.clone()));
                    tokio::spawn(server::serve(main, Port::Main, serving));
                    // Dropping the handle also stops the simulator.
                    let _ = stopped.await;
                });
                runtime.shutdown_timeout(STOPPING);
                hub.library.clear();
            })
            .map_err(SimulatorError::Threads)?;
        Ok(Running { address, admin, stop: Some(stop), thread: Some(thread) })
    }
}

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    admin: Admin,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL, at which discovery is.
    pub fn base_url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Returns the base URL of the login.
    pub fn oauth_base(&self) -> String {
        format!("{}{OAUTH_BASE}", self.base_url())
    }

    /// Returns the URL of the admin endpoint.
    pub fn admin_url(&self) -> String {
        format!("{}/admin", self.base_url())
    }

    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Stops the simulator and waits until it has ended.
    pub fn stop(mut self) {
        self.end();
    }

    /// Like [`stop`](Self::stop), for asynchronous callers.
    pub async fn shutdown(self) {
        let ended = tokio::task::spawn_blocking(move || self.stop()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the simulator did not end cleanly");
        }
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may already have ended.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the simulator's thread panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, SimulatorError> {
    TcpListener::bind(address).map_err(|source| SimulatorError::Listen { address, source })
}

fn local(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, SimulatorError> {
    listener.local_addr().map_err(|source| SimulatorError::Listen { address, source })
}
