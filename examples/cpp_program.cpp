// cpp_program.cpp - the library in C++: handles in unique_ptr, structures as rows.
//
//     c++ -std=c++11 cpp_program.cpp && ./a.out
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

struct CloseStore {
    void operator()(sst_store *store) const { sst_close(store); }
};
struct CloseStream {
    void operator()(sst_stream *stream) const { sst_stream_close(stream); }
};
using Store = std::unique_ptr<sst_store, CloseStore>;
using Stream = std::unique_ptr<sst_stream, CloseStream>;

struct Pose {
    double x, y, heading;
};
static_assert(sizeof(Pose) == 3 * sizeof(double), "a row is three doubles");

static void check(int result) {
    if (result != SST_OK) throw std::runtime_error(sst_result_text(result));
}

static Store make_store() {
    sst_store *store = nullptr;
    check(sst_create(nullptr, nullptr, &store));
    return Store(store);
}

static Stream make_stream(const Store &store, const char *name) {
    sst_stream_desc desc{};
    sst_stream *stream = nullptr;
    desc.name = name;
    desc.type = SST_F64;
    desc.shape[0] = 3;
    check(sst_stream_create(store.get(), &desc, &stream));
    return Stream(stream);
}

static int run() {
    Store store = make_store();
    Stream poses = make_stream(store, "pose");
    std::vector<int64_t> times;
    std::vector<Pose> path;
    for (int i = 0; i < 1000; i++) {
        times.push_back(i * 1000);
        path.push_back(Pose{i * 0.5, i * -0.25, 0.001 * i});
    }
    check(sst_append_rows(poses.get(), times.data(), path.data(), path.size()));

    const std::vector<int64_t> moments{1500, 250250, 99};
    std::vector<Pose> between(3);
    check(sst_sample(poses.get(), moments.data(), moments.size(), SST_SAMPLE_LINEAR,
                     between.data(), nullptr));
    for (size_t i = 0; i < moments.size(); i++) {
        const Pose &p = between[i];
        std::printf("at %6lld: x %g y %g\n", static_cast<long long>(moments[i]), p.x, p.y);
    }

    sst_view view;
    check(sst_window(poses.get(), 100000, 103000, &view));
    const Pose *rows = static_cast<const Pose *>(view.values);
    for (uint64_t i = 0; i < view.count; i++) std::printf("window: x %g\n", rows[i].x);
    return view.count == 4 && between[0].x == 0.75 ? 0 : 1;
}

int main() {
    try {
        return run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
