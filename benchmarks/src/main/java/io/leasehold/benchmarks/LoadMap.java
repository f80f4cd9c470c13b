package io.leasehold.benchmarks;

/// Fills a map with entries from `first` to below `end`.
record LoadMap(String map, long first, long end, long entries, int valueBytes) implements Task<Long> {
    private static final int DEPTH = 64;

    @Override
    public Long perform(Workbench workbench) throws Exception {
        MapStore store = workbench.map(map, entries);
        Records records = new Records(valueBytes);
        Requests requests = new Requests();
        for (long entry = first; entry < end;) {
            requests.clear();
            for (int i = 0; i < DEPTH && entry < end; i++, entry++) {
                requests.addWrite(Records.key(entry), records.value(entry));
            }
            store.execute(requests);
        }
        return end - first;
    }
}
