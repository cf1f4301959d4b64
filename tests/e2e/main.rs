//! The whole product over real sockets and a real disk: the `casedrop` program against the
//! simulated Align, seen as the CAD program next to it would.

#![expect(unreachable_pub, reason = "a test program has no public items")]

mod gateway;
mod json_schema;
mod listening;
mod portal;
mod receivers;
mod tree;
#[cfg(target_os = "linux")]
mod watcher;
mod world;

mod answers;
mod audit;
mod badinput;
mod command_folder;
mod commands;
mod crash;
mod demo;
mod faults;
mod first_start;
mod flows;
mod formats;
mod holds;
mod isolation;
mod journal;
#[cfg(target_os = "linux")]
mod limits;
mod lists;
mod logins;
mod looking;
mod names;
mod notices;
mod notified;
mod outages;
mod page;
mod places;
mod planted;
mod polls;
mod reconcile;
mod renewals;
mod requests;
mod resume;
mod retention;
mod secrecy;
#[cfg(target_os = "linux")]
mod service;
#[cfg(windows)]
mod service_windows;
mod states;
mod support;
mod trial;
mod update;
#[cfg(target_os = "linux")]
mod visible;
mod windows;
