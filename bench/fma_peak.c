//go:build ignore

// fma_peak: one core's float32 fused multiply-add peak, in GFLOP/s of CPU time, with the widest vectors it has.
// gcc -O2 -march=native fma_peak.c -o fma_peak && ./fma_peak
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

#if defined(__AVX512F__)
#define ISA "avx512"
#define LANES 16
typedef __m512 vector;
#define set _mm512_set1_ps
#define fma _mm512_fmadd_ps
#elif defined(__AVX2__) && defined(__FMA__)
#define ISA "avx2"
#define LANES 8
typedef __m256 vector;
#define set _mm256_set1_ps
#define fma _mm256_fmadd_ps
#else
#error "neither AVX-512 nor AVX2 with FMA"
#endif

int main(void) {
	// 12 chains hide the latency of the units: two of them, four or five cycles.
	vector a[12], x = set(0.999f), y = set(0.001f);
	for (int i = 0; i < 12; i++) a[i] = set(i * 0.1f);
	double best = 0;
	for (int rep = 0; rep < 5; rep++) {
		struct timespec s, e;
		const long n = 50000000;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &s);
		for (long i = 0; i < n; i++)
#pragma GCC unroll 12
			for (int j = 0; j < 12; j++) a[j] = fma(a[j], x, y);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &e);
		double g = n * 12.0 * 2 * LANES / ((e.tv_sec - s.tv_sec) + (e.tv_nsec - s.tv_nsec) * 1e-9) / 1e9;
		if (g > best) best = g;
	}
	float sum = 0;
	for (int i = 0; i < 12; i++) sum += ((float *)&a[i])[0];
	printf("{\"isa\": \"%s\", \"fma_peak_gflops\": %.1f, \"check\": %g}\n", ISA, best, sum);
}
