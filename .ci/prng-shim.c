/* A stand-in for bcryptprimitives.dll, for tests under Wine only; it is never shipped.
 *
 * Rust's std gets its random numbers from ProcessPrng. Wine before 9.0 lacks that DLL, and a program
 * that imports it exits silently with 53. RtlGenRandom, which advapi32 exports as SystemFunction036,
 * does the same. */
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
