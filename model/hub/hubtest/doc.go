// Package hubtest is a Hugging Face Hub for tests, as net/http/httptest is a server:
// the routes that package hub uses, strict about what it is sent, with faults on
// request. It does not know package hub. Its behaviour is that of the fake hub in
// scripts/fakehub.py, which the Python client has worked with.
package hubtest
