"""Work for many machines, on Ray: training in several processes, and pages by the thousand."""
