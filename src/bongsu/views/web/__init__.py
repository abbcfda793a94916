"""The live page of `bongsu up`: pages, JSON and a stream of events on one port."""
