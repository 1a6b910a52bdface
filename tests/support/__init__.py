"""What tests of several rooms share: small media, people, networks of known weights, servers, a browser."""
