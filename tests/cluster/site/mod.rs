//! The site: its pages agree with the source, are run as they are written, and are made into a book that works.

mod book;
mod browser;
mod catalog;
mod functions;
mod messages;
mod raised;
mod syntax;
mod troubleshooting;
mod walkthroughs;
