//! The site: its pages are made into a book that works.

mod book;
mod browser;
