"""A real IMS in network namespaces: Kamailio's CSCFs, an HSS and a PCRF that speak Diameter, user agents and faults."""
