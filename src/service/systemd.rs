//! The systemd notification protocol (`sd_notify(3)`): one datagram per message to the socket named
//! by `NOTIFY_SOCKET`.

use std::ffi::OsStr;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::pending::Pending;
use super::{Host, Hosted, console, no_events};

/// While the agent starts, it repeatedly asks systemd for this much more time.
const MORE: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Beyond this, a start is left to systemd's own timeout.
const LONGEST_START: Duration = Duration::from_secs(3600);
/// Time for shutdown beyond bringing work to a safe point.
const LAST_THINGS: Duration = Duration::from_secs(15);

/// The host environment of systemd, if it runs this process and wants notifications.
pub(super) fn hosted() -> Option<Hosted> {
    let socket = Socket::of(&std::env::var_os("NOTIFY_SOCKET")?)?;
    let var = |name| std::env::var(name).ok();
    let watchdog = watchdog(var("WATCHDOG_USEC"), var("WATCHDOG_PID"), std::process::id());
    let host = Arc::new(Systemd::new(move |message| socket.send(message), watchdog));
    host.starting();
    let told = Arc::clone(&host);
    let stop = async move {
        console::stop_signal().await;
        told.tell("STOPPING=1");
    };
    Some(Hosted { host, stop: Box::pin(stop), events: no_events(), is_service: true })
}

/// Returns the watchdog interval that systemd set for this process, if any.
fn watchdog(usec: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    let is_mine = pid.is_none_or(|pid| pid == own.to_string());
    let usec: u64 = usec.filter(|_| is_mine)?.parse().ok()?;
    (usec > 0).then(|| Duration::from_micros(usec))
}

struct Socket {
    own: UnixDatagram,
    systemd: SocketAddr,
}

impl Socket {
    fn of(name: &OsStr) -> Option<Self> {
        let systemd = address(name)?;
        let own = UnixDatagram::unbound().ok()?;
        // A full queue must not block the agent.
        own.set_nonblocking(true).ok()?;
        Some(Self { own, systemd })
    }

    fn send(&self, message: &str) {
        // There is no one to report a failure to.
        let _ = self.own.send_to_addr(message.as_bytes(), &self.systemd);
    }
}

/// A path, or with a leading `@` a name in Linux' abstract namespace.
fn address(name: &OsStr) -> Option<SocketAddr> {
    use std::os::unix::ffi::OsStrExt as _;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = name.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt as _;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name).ok();
    }
    name.as_bytes().starts_with(b"/").then(|| SocketAddr::from_pathname(name).ok()).flatten()
}

/// systemd as the agent's host.
struct Systemd<S> {
    send: Arc<S>,
    /// The watchdog interval of systemd.
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

/// What systemd has been told.
#[derive(Default)]
struct Told {
    starting: Option<Pending>,
    doing: Option<String>,
    alive: Option<Instant>,
}

impl<S: Fn(&str) + Send + Sync + 'static> Systemd<S> {
    fn new(send: S, watchdog: Option<Duration>) -> Self {
        Self { send: Arc::new(send), watchdog, told: Mutex::default() }
    }

    /// Starting may take a while, for example if a lost journal is rebuilt from the orders on disk.
    fn starting(&self) {
        let send = Arc::clone(&self.send);
        let more = extension(MORE);
        let starting = Pending::begin(ASK_EVERY, LONGEST_START, move || send(&more));
        self.told().starting = Some(starting);
    }

    fn tell(&self, message: &str) {
        (self.send)(message);
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on a heartbeat if systemd has not had one for half the watchdog interval. A hung loop
    /// sends none.
    fn alive_at(&self, now: Instant) {
        let Some(patience) = self.watchdog else { return };
        let mut told = self.told();
        let since = told.alive.map(|at| now.saturating_duration_since(at));
        if since.is_none_or(|since| since >= patience / 2) {
            told.alive = Some(now);
            self.tell("WATCHDOG=1");
        }
    }
}

impl<S: Fn(&str) + Send + Sync + 'static> Host for Systemd<S> {
    fn ready(&self) {
        let starting = self.told().starting.take();
        drop(starting);
        self.tell("READY=1");
    }

    fn at_work(&self, is: bool) {
        if !is {
            self.doing("waiting until the journal can be used");
        }
    }

    fn alive(&self) {
        self.alive_at(Instant::now());
    }

    fn doing(&self, what: &str) {
        let mut told = self.told();
        if told.doing.as_deref() != Some(what) {
            self.tell(&format!("STATUS={}", what.replace('\n', " ")));
            told.doing = Some(what.to_owned());
        }
    }

    fn stopping(&self, up_to: Duration) {
        self.doing("finishing what is in progress");
        self.tell(&format!("STOPPING=1\n{}", extension(up_to + LAST_THINGS)));
    }
}

fn extension(time: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", time.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn host(
        watchdog: Option<Duration>,
    ) -> (Systemd<impl Fn(&str) + Send + Sync + 'static>, Receiver<String>) {
        let (sender, received) = channel();
        let send = move |message: &str| sender.send(message.to_owned()).expect("heard");
        (Systemd::new(send, watchdog), received)
    }

    fn all(received: &Receiver<String>) -> Vec<String> {
        received.try_iter().collect()
    }

    #[test]
    fn signs_of_life_are_passed_on_at_half_of_systemds_patience() {
        let (host, received) = host(Some(Duration::from_secs(120)));
        let began = Instant::now();
        for second in 0..=180 {
            host.alive_at(began + Duration::from_secs(second));
        }
        assert_eq!(all(&received), ["WATCHDOG=1"; 4], "at 0, 60, 120 and 180 seconds");
    }

    #[test]
    fn whoever_hangs_is_not_vouched_for() {
        let (host, received) = host(Some(Duration::from_secs(120)));
        let began = Instant::now();
        host.starting();
        host.ready();
        host.alive_at(began);
        host.doing("2 labs, 1 order in progress");
        let before = all(&received);
        assert_eq!(before.last().map(String::as_str), Some("STATUS=2 labs, 1 order in progress"));
        // The loop hangs. Only its own heartbeat may reach systemd.
        host.at_work(true);
        host.doing("2 labs, 1 order in progress");
        assert_eq!(all(&received), [] as [&str; 0]);
        host.alive_at(began + Duration::from_secs(600));
        assert_eq!(all(&received), ["WATCHDOG=1"], "it goes round again");
    }

    #[test]
    fn a_slow_start_asks_for_time_until_it_is_done() {
        let (host, received) = host(None);
        host.starting();
        let asked = received.recv().expect("asked");
        assert_eq!(asked, "EXTEND_TIMEOUT_USEC=30000000");
        host.ready();
        assert_eq!(all(&received), ["READY=1"]);
        host.alive_at(Instant::now());
        host.stopping(Duration::from_secs(20));
        let rest =
            ["STATUS=finishing what is in progress", "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000"];
        assert_eq!(all(&received), rest, "and nobody wants signs of life");
    }

    #[test]
    fn a_watchdog_for_another_process_is_not_ours() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(watchdog(some("3000000"), None, 7), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(some("3000000"), some("7"), 7), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(some("3000000"), some("8"), 7), None);
        assert_eq!(watchdog(some("0"), None, 7), None);
        assert_eq!(watchdog(some("often"), None, 7), None);
        assert_eq!(watchdog(None, None, 7), None);
    }

    #[test]
    fn sockets_are_named_by_path_or_in_the_abstract() {
        let path = address(OsStr::new("/run/systemd/notify")).expect("an address");
        assert_eq!(path.as_pathname(), Some(std::path::Path::new("/run/systemd/notify")));
        assert!(address(OsStr::new("vsock:2:1234")).is_none(), "unknown here");
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            let own = SocketAddr::from_abstract_name("casedrop-test-notify").expect("an address");
            let systemd = UnixDatagram::bind_addr(&own).expect("bound");
            let socket = Socket::of(OsStr::new("@casedrop-test-notify")).expect("a socket");
            socket.send("READY=1");
            let mut buffer = [0; 64];
            let length = systemd.recv(&mut buffer).expect("received");
            assert_eq!(&buffer[..length], b"READY=1");
        }
    }
}
