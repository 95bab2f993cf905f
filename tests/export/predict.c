/* Runs a SavedModel through TensorFlow's C API, with the loader that TensorFlow Serving uses.
 *
 *     predict EXPORT [-l OP_LIBRARY]... -i INPUT [-o OUTPUT]... -- TEXT...
 *
 * INPUT and OUTPUT are tensors as the signature names them, `name:index`. Prints a line for each
 * output, `dtype dim,dim,... value value ...`; strings are in hexadecimal, after an `x`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

#define MOST 16

static TF_Status *status;

static void check(const char *what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static TF_Output find(TF_Graph *graph, char *name) {
  char *colon = strrchr(name, ':');
  *colon = '\0';
  TF_Output output = {TF_GraphOperationByName(graph, name), atoi(colon + 1)};
  if (output.oper == NULL) {
    fprintf(stderr, "no operation %s\n", name);
    exit(1);
  }
  return output;
}

static TF_Tensor *strings(int count, char **texts) {
  int64_t shape[] = {count};
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, shape, 1, count * sizeof(TF_TString));
  TF_TString *data = TF_TensorData(tensor);
  for (int i = 0; i < count; i++) {
    TF_StringInit(&data[i]);
    TF_StringCopy(&data[i], texts[i], strlen(texts[i]));
  }
  return tensor;
}

static void print(const TF_Tensor *tensor) {
  TF_DataType dtype = TF_TensorType(tensor);
  printf("%d ", dtype);
  for (int i = 0; i < TF_NumDims(tensor); i++) printf("%lld,", (long long)TF_Dim(tensor, i));
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
    if (dtype == TF_STRING) {
      const TF_TString *text = (TF_TString *)TF_TensorData(tensor) + i;
      const unsigned char *bytes = (const unsigned char *)TF_StringGetDataPointer(text);
      printf(" x");
      for (size_t j = 0; j < TF_StringGetSize(text); j++) printf("%02x", bytes[j]);
    } else {
      printf(" %.9g", ((float *)TF_TensorData(tensor))[i]);
    }
  }
  printf("\n");
}

int main(int argc, char **argv) {
  char *input_name = NULL, *output_names[MOST];
  int outputs = 0, at = 2;
  status = TF_NewStatus();
  for (; at + 1 < argc && strcmp(argv[at], "--") != 0; at += 2) {
    char *value = argv[at + 1];
    if (strcmp(argv[at], "-i") == 0) input_name = value;
    if (strcmp(argv[at], "-o") == 0 && outputs < MOST) output_names[outputs++] = value;
    if (strcmp(argv[at], "-l") == 0) {
      TF_LoadLibrary(value, status);
      check(value);
    }
  }
  if (input_name == NULL || ++at > argc) {
    fprintf(stderr, "predict EXPORT [-l OP_LIBRARY]... -i INPUT [-o OUTPUT]... -- TEXT...\n");
    return 2;
  }

  const char *tags[] = {"serve"};
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Session *session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(argv[1]);

  TF_Output input = find(graph, input_name), fetched[MOST];
  for (int i = 0; i < outputs; i++) fetched[i] = find(graph, output_names[i]);
  TF_Tensor *texts = strings(argc - at, argv + at), *values[MOST];
  TF_SessionRun(session, NULL, &input, &texts, 1, fetched, values, outputs, NULL, 0, NULL, status);
  check("run");
  for (int i = 0; i < outputs; i++) print(values[i]);
  return 0;
}
