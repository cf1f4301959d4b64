/* A stand-in for bcryptprimitives.dll, for tests under Wine only; it is never shipped.
 *
 * Rust's std takes its random numbers from ProcessPrng. Wine before 9.0 has no such DLL, and a
 * program that imports it exits with 53 without a word. RtlGenRandom, which advapi32 exports as
 * SystemFunction036, does the same work. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length)
{
    while (length > 0) {
        ULONG part = length > 0x10000000 ? 0x10000000 : (ULONG)length;
        if (!SystemFunction036(buffer, part))
            return FALSE;
        buffer += part;
        length -= part;
    }
    return TRUE;
}
