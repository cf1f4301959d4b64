/* What the unwinder of Debian's gcc (libgcc_eh.a), made for glibc, lacks in a static program with musl.
 *
 * It asks glibc's _dl_find_object for the unwind tables; musl has dl_iterate_phdr instead, which gives the
 * same information. Layout and contract are those of glibc's <dlfcn.h>, 2.35 and later, on x86_64. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

struct found {
  unsigned long long flags;
  void *map_start;
  void *map_end;
  struct link_map *link_map;
  void *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  ElfW(Addr) address;
  struct found *found;
};

static int look(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  const ElfW(Phdr) *around = NULL, *tables = NULL;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    ElfW(Addr) start = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_GNU_EH_FRAME)
      tables = header;
    if (header->p_type == PT_LOAD && search->address - start < header->p_memsz)
      around = header;
  }
  if (!around || !tables)
    return 0;
  memset(search->found, 0, sizeof *search->found);
  search->found->map_start = (void *)(info->dlpi_addr + around->p_vaddr);
  search->found->map_end = (char *)search->found->map_start + around->p_memsz;
  search->found->eh_frame = (void *)(info->dlpi_addr + tables->p_vaddr);
  return 1;
}

int _dl_find_object(void *address, struct found *result) {
  struct search search = {(ElfW(Addr))address, result};
  return dl_iterate_phdr(look, &search) ? 0 : -1;
}

/* The unwinder refers to these weakly, which alone does not pull them in from libc.a. */
__attribute__((used)) static void *const needed[] = {
    (void *)pthread_once,         (void *)pthread_mutex_lock,  (void *)pthread_mutex_unlock,
    (void *)pthread_key_create,   (void *)pthread_getspecific, (void *)pthread_setspecific,
};
