//! Starting and stopping the simulator. It runs on a thread with a runtime of its own, so that
//! synchronous and asynchronous callers can use it alike.

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

/// Connections get this long to end when the simulator stops.
const STOPPING: Duration = Duration::from_secs(2);

/// What to simulate, and where.
pub struct SimulatorConfig {
    /// The address to listen on; port 0 takes a free one. Two more ports are taken at that address.
    pub listen: SocketAddr,
    /// What is served.
    pub scenario: Scenario,
    /// A folder of export archives that are served as ready orders.
    pub packages_dir: Option<PathBuf>,
    /// What makes packages.
    pub packages: Arc<dyn PackageSource>,
    /// Where large packages are kept while the simulator runs.
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
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The runtime cannot be started.
    #[error("cannot start the simulator's threads")]
    Threads(#[source] io::Error),
}

/// The simulator.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts the simulator; once this returns, it accepts connections.
    ///
    /// # Errors
    /// When an address is taken or the scenario is wrong.
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
                    // A dropped handle stops the simulator as well.
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
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that discovery is asked at.
    pub fn base_url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// The URL that the login is below.
    pub fn oauth_base(&self) -> String {
        format!("{}{OAUTH_BASE}", self.base_url())
    }

    /// The URL of the admin endpoint.
    pub fn admin_url(&self) -> String {
        format!("{}/admin", self.base_url())
    }

    /// Controls the simulator.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Stops the simulator and waits until it has ended.
    pub fn stop(mut self) {
        self.end();
    }

    /// As [`stop`](Self::stop), for asynchronous callers.
    pub async fn shutdown(self) {
        let ended = tokio::task::spawn_blocking(move || self.stop()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the simulator did not end well");
        }
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
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
